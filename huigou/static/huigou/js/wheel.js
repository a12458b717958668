// The wheel: a picture of an answer that is already known. It never decides anything.
import { calm } from "./core.js";

const NS = "http://www.w3.org/2000/svg";
const CENTRE = 200, RADIUS = 176, TURNS = 6, SPIN_MS = 4600;

function make(name, attributes, parent) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}
const point = (degrees, r) => {
  const a = ((degrees - 90) * Math.PI) / 180;
  return `${(CENTRE + r * Math.cos(a)).toFixed(2)} ${(CENTRE + r * Math.sin(a)).toFixed(2)}`;
};

// Two neighbours never share a tint, the last and the first included.
export function tint(index, count) {
  return index === count - 1 && count % 2 === 1 && count > 1 ? 2 : index % 2;
}

export class Wheel {
  // faces: [{text, unit, blank}]; clockwise from the top. One face is a whole disc, two are halves, twelve are slim.
  constructor(holder, faces) {
    this.holder = holder;
    this.faces = faces;
    this.step = 360 / faces.length;
    this.angle = 0;
    this.draw();
  }

  draw() {
    const svg = make("svg", { viewBox: "0 0 400 400", "aria-hidden": "true", focusable: "false" });
    svg.classList.toggle("wheel-12", this.faces.length > 7);
    make("circle", { cx: CENTRE, cy: CENTRE, r: 194, class: "wheel-rim" }, svg);
    this.rotor = make("g", {}, svg);
    this.rotor.style.transformOrigin = "200px 200px";
    this.faces.forEach((face, i) => this.sector(face, i));
    for (let i = 0; i < 24; i += 1) {
      const [x, y] = point(i * 15, 185).split(" ");
      make("circle", { cx: x, cy: y, r: 4, class: "wheel-bulb" }, svg);
    }
    make("path", { d: "M200 92 L182 150 H218 Z", class: "wheel-pointer" }, svg);
    this.svg = svg;
    this.holder.prepend(svg);
  }

  sector(face, i) {
    const count = this.faces.length;
    const from = i * this.step - this.step / 2, to = from + this.step;
    const kind = face.blank ? "sector-blank" : `sector-${tint(i, count)}`;
    if (count === 1) {
      make("circle", { cx: CENTRE, cy: CENTRE, r: RADIUS, class: `sector ${kind}` }, this.rotor);
    } else {
      const wide = this.step > 180 ? 1 : 0;
      const d = `M${CENTRE} ${CENTRE} L${point(from, RADIUS)} A${RADIUS} ${RADIUS} 0 ${wide} 1 ${point(to, RADIUS)} Z`;
      make("path", { d, class: `sector ${kind}` }, this.rotor);
    }
    const text = make("text", {
      x: CENTRE, y: 70, transform: `rotate(${i * this.step} ${CENTRE} ${CENTRE})`,
      class: face.blank ? "sector-blank-text" : "sector-text",
    }, this.rotor);
    text.textContent = face.text;
    if (face.unit) {
      const unit = make("tspan", { class: "unit", dx: 2 }, text);
      unit.textContent = face.unit;
    }
  }

  // Stand still on a sector: a result that was given before.
  show(index) {
    this.angle = (((-index * this.step) % 360) + 360) % 360;
    this.rotor.style.transform = `rotate(${this.angle}deg)`;
    this.mark(index);
  }

  mark(index) {
    this.rotor.children[index * 2].classList.add("sector-on");
    this.holder.dataset.landed = String(index);
  }

  // Turn until the pointer stands on `index`; resolves when it stands. A tap, Esc or reduced motion ends the turn at once.
  async land(index) {
    const rest = -index * this.step;
    const sway = this.faces.length > 1 ? (Math.random() - 0.5) * this.step * 0.6 : 0;
    const target = rest + sway - 360 * TURNS;
    for (const lit of this.rotor.querySelectorAll(".sector-on")) lit.classList.remove("sector-on");
    this.holder.classList.add("wheel-turning");
    try {
      if (!calm() && this.rotor.animate) await this.spin(target);
    } finally {
      this.holder.classList.remove("wheel-turning");
      this.angle = ((target % 360) + 360) % 360;
      this.rotor.style.transform = `rotate(${this.angle}deg)`;
      this.mark(index);
    }
  }

  spin(target) {
    return new Promise((done) => {
      const turn = this.rotor.animate(
        [{ transform: `rotate(${this.angle}deg)` }, { transform: `rotate(${target}deg)` }],
        { duration: SPIN_MS, easing: "cubic-bezier(.16, .72, .1, 1)", fill: "forwards" },
      );
      const finish = () => {
        removeEventListener("keydown", onKey);
        this.holder.removeEventListener("click", finish);
        turn.cancel();
        done();
      };
      const onKey = (event) => { if (event.key === "Escape") finish(); };
      this.skip = finish;
      addEventListener("keydown", onKey);
      // The tap that began the turn must not also end it.
      setTimeout(() => this.holder.addEventListener("click", finish), 350);
      turn.onfinish = finish;
      // A phone that was locked in the middle may never fire onfinish.
      setTimeout(finish, SPIN_MS + 1500);
    });
  }
}
