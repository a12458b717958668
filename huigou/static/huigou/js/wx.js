// Inside WeChat: its own script gives position and scanner. Loaded only on a page that carries its address, on a tap.
import { call } from "./core.js";

let loading = null;

function script(address) {
  return new Promise((done, fail) => {
    const tag = document.createElement("script");
    tag.src = address;
    tag.onload = done;
    tag.onerror = () => fail(new Error("wechat script"));
    document.head.append(tag);
  });
}
// Resolves to WeChat's object once it has taken our signature of this page's address (without what follows #).
export function weixin(address, calls) {
  loading ||= (async () => {
    const [page] = location.href.split("#");
    const [config] = await Promise.all([call(`/api/v1/wechat-config?url=${encodeURIComponent(page)}`), script(address)]);
    await new Promise((done, fail) => {
      wx.ready(done);
      wx.error(fail);
      wx.config({ debug: false, ...config, jsApiList: calls });
    });
    return wx;
  })();
  loading.catch(() => { loading = null; });
  return loading;
}
