// 适用商家: nearest first, reckoned on the phone; the position never leaves it. Both are WGS-84: the page converts.
import { $, $$ } from "./core.js";

const button = $("[data-near]");
const says = $("[data-near-says]");
const list = $("[data-shops]");
const rad = Math.PI / 180;

function metres(a, b) {
  const s = Math.sin(((b.lat - a.lat) * rad) / 2) ** 2
    + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(((b.lng - a.lng) * rad) / 2) ** 2;
  return 12742000 * Math.asin(Math.sqrt(s));
}
const said = (m) => (m < 950 ? `约 ${Math.round(m / 50) * 50} 米` : `约 ${(m / 1000).toFixed(1)} 公里`);

if (button && list && navigator.geolocation && $$("[data-lat]:not([data-lat=''])", list).length) {
  button.hidden = false;
  button.addEventListener("click", () => {
    button.classList.add("busy");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        button.classList.remove("busy");
        const here = { lat: coords.latitude, lng: coords.longitude };
        const far = new Map($$("li", list).map((item) => [
          item, item.dataset.lat ? metres(here, { lat: Number(item.dataset.lat), lng: Number(item.dataset.lng) }) : Infinity,
        ]));
        // Shops that take no coupons now stay behind, however near.
        const off = (item) => Number(!("active" in item.dataset));
        for (const [item, m] of [...far].sort((a, b) => off(a[0]) - off(b[0]) || a[1] - b[1])) {
          const place = $("[data-distance]", item);
          if (m !== Infinity && place) place.textContent = said(m);
          list.append(item);
        }
        says.textContent = "已按直线距离排列，位置只在您的手机上使用。";
      },
      () => {
        button.classList.remove("busy");
        says.textContent = "没有取得位置，仍按名单次序排列。";
      },
      { timeout: 10000, maximumAge: 300000 },
    );
  });
}
