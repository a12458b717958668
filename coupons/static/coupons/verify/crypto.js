/* SHA-256, HMAC-SHA256, SHA-512 and Ed25519 verification without a library: WebCrypto is missing on plain http and
   too slow for a hundred thousand small hashes. Only public values pass here, so nothing runs in constant time. */
(function (root) {
  "use strict";

  const K256 = new Uint32Array(64);
  const START256 = new Uint32Array(8);
  const K512 = [];
  const START512 = [];
  const MASK = (1n << 64n) - 1n;

  /* The constants are the fractional parts of roots of the first primes (FIPS 180-4). */
  function integerRoot(value, degree) {
    let low = 0n;
    let high = 1n << 75n;
    while (low < high) {
      const middle = (low + high + 1n) >> 1n;
      if (middle ** degree <= value) low = middle;
      else high = middle - 1n;
    }
    return low;
  }

  (function makeConstants() {
    for (let candidate = 2, found = 0; found < 80; candidate++) {
      let prime = true;
      for (let d = 2; d * d <= candidate; d++) if (candidate % d === 0) prime = false;
      if (!prime) continue;
      const cube = integerRoot(BigInt(candidate) << 192n, 3n) & MASK;
      const square = integerRoot(BigInt(candidate) << 128n, 2n) & MASK;
      K512.push(cube);
      if (found < 64) K256[found] = Number(cube >> 32n);
      if (found < 8) {
        START512.push(square);
        START256[found] = Number(square >> 32n);
      }
      found++;
    }
  })();

  const W = new Uint32Array(64);

  function compress(state, bytes, at) {
    for (let i = 0; i < 16; i++, at += 4) {
      W[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = W[i - 15];
      const y = W[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      W[i] = W[i - 16] + s0 + W[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K256[i] + W[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }

  function padded(bytes, block, before) {
    const lengthBytes = block / 8;
    const size = Math.ceil((bytes.length + 1 + lengthBytes) / block) * block;
    const out = new Uint8Array(size);
    out.set(bytes);
    out[bytes.length] = 0x80;
    let bits = (bytes.length + before) * 8;
    for (let i = size - 1; bits > 0; i--, bits = Math.floor(bits / 256)) out[i] = bits % 256;
    return out;
  }

  /* Hash on from a state that has already taken in `before` bytes, a multiple of 64. */
  function finish(start, bytes, before) {
    const state = Uint32Array.from(start);
    const all = padded(bytes, 64, before);
    for (let at = 0; at < all.length; at += 64) compress(state, all, at);
    const out = new Uint8Array(32);
    for (let i = 0; i < 32; i++) out[i] = state[i >> 2] >>> (24 - 8 * (i & 3));
    return out;
  }

  function sha256(bytes) {
    return finish(START256, bytes, 0);
  }

  /* Return f(message) under one key, which is hashed once. */
  function hmac256(key) {
    const short = key.length > 64 ? sha256(key) : key;
    const keyed = (pad) => {
      const block = new Uint8Array(64);
      block.set(short);
      const state = Uint32Array.from(START256);
      compress(state, block.map((byte) => byte ^ pad), 0);
      return state;
    };
    const inner = keyed(0x36);
    const outer = keyed(0x5c);
    return (message) => finish(outer, finish(inner, message, 64), 64);
  }

  function rotated(x, n) {
    return ((x >> n) | (x << (64n - n))) & MASK;
  }

  function sha512(bytes) {
    const state = START512.slice();
    const all = padded(bytes, 128, 0);
    const view = new DataView(all.buffer);
    for (let at = 0; at < all.length; at += 128) {
      const w = [];
      for (let i = 0; i < 16; i++) w.push(view.getBigUint64(at + 8 * i));
      for (let i = 16; i < 80; i++) {
        const s0 = rotated(w[i - 15], 1n) ^ rotated(w[i - 15], 8n) ^ (w[i - 15] >> 7n);
        const s1 = rotated(w[i - 2], 19n) ^ rotated(w[i - 2], 61n) ^ (w[i - 2] >> 6n);
        w.push((w[i - 16] + s0 + w[i - 7] + s1) & MASK);
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 80; i++) {
        const s1 = rotated(e, 14n) ^ rotated(e, 18n) ^ rotated(e, 41n);
        const t1 = h + s1 + ((e & f) ^ (~e & MASK & g)) + K512[i] + w[i];
        const s0 = rotated(a, 28n) ^ rotated(a, 34n) ^ rotated(a, 39n);
        const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK, c, b, a, (t1 + t2) & MASK];
      }
      [a, b, c, d, e, f, g, h].forEach((value, i) => {
        state[i] = (state[i] + value) & MASK;
      });
    }
    const out = new Uint8Array(64);
    const written = new DataView(out.buffer);
    state.forEach((value, i) => written.setBigUint64(8 * i, value));
    return out;
  }

  /* ---- Ed25519 (RFC 8032); points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z */

  const P = (1n << 255n) - 19n;
  const ORDER = (1n << 252n) + 27742317777372353535851937790883648493n;
  const ZERO = [0n, 1n, 1n, 0n];

  function mod(value) {
    const rest = value % P;
    return rest < 0n ? rest + P : rest;
  }

  function power(base, exponent) {
    let result = 1n;
    for (let b = mod(base); exponent > 0n; exponent >>= 1n, b = (b * b) % P) {
      if (exponent & 1n) result = (result * b) % P;
    }
    return result;
  }

  const D = mod(-121665n * power(121666n, P - 2n));
  const D2 = (2n * D) % P;
  const ROOT = power(2n, (P - 1n) / 4n);

  function add(a, b) {
    const p = ((a[1] - a[0]) * (b[1] - b[0])) % P;
    const q = ((a[1] + a[0]) * (b[1] + b[0])) % P;
    const r = (((a[3] * b[3]) % P) * D2) % P;
    const s = (2n * a[2] * b[2]) % P;
    const e = q - p;
    const f = s - r;
    const g = s + r;
    const h = q + p;
    return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
  }

  function little(bytes) {
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return value;
  }

  function decode(bytes) {
    const all = little(bytes);
    const sign = all >> 255n;
    const y = all & ((1n << 255n) - 1n);
    if (y >= P) return null;
    const square = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n));
    let x = power(square, (P + 3n) / 8n);
    if ((x * x) % P !== square) x = (x * ROOT) % P;
    if ((x * x) % P !== square || (x === 0n && sign)) return null;
    if ((x & 1n) !== sign) x = P - x;
    return [x, y, 1n, (x * y) % P];
  }

  /* Multiples 0 to 15 of 16**i times a point, kept because one key signs many heads. */
  function table(point) {
    const rows = [];
    for (let i = 0; i < 64; i++) {
      const row = [ZERO];
      while (row.length < 16) row.push(add(row[row.length - 1], point));
      rows.push(row);
      point = add(row[15], point);
    }
    return rows;
  }

  const tables = new Map();

  function tableOf(name, makePoint) {
    if (!tables.has(name)) {
      const point = makePoint();
      tables.set(name, point && table(point));
    }
    return tables.get(name);
  }

  function times(scalar, rows, total) {
    for (let i = 0; i < 64; i++, scalar >>= 4n) total = add(total, rows[i][Number(scalar & 15n)]);
    return total;
  }

  function ed25519Verify(key, message, signature) {
    if (key.length !== 32 || signature.length !== 64) return false;
    const s = little(signature.subarray(32));
    const keyRows = tableOf(key.join(), () => {
      const point = decode(key);
      return point && [P - point[0], point[1], 1n, P - point[3]];
    });
    if (!keyRows || s >= ORDER) return false;
    const baseRows = tableOf("base", () => {
      const y = (4n * power(5n, P - 2n)) % P;
      return decode(Uint8Array.from({ length: 32 }, (_, i) => Number((y >> BigInt(8 * i)) & 255n)));
    });
    const hashed = new Uint8Array(64 + message.length);
    hashed.set(signature.subarray(0, 32));
    hashed.set(key, 32);
    hashed.set(message, 64);
    const total = times(little(sha512(hashed)) % ORDER, keyRows, times(s, baseRows, ZERO));
    const inverse = power(total[2], P - 2n);
    const encoded = mod(total[1] * inverse) | ((mod(total[0] * inverse) & 1n) << 255n);
    return encoded === little(signature.subarray(0, 32));
  }

  root.HuigouCrypto = { sha256, hmac256, sha512, ed25519Verify };
  if (typeof module === "object" && module.exports) module.exports = root.HuigouCrypto;
})(globalThis);
