// Drawing into label maps, in pixels of the frame.

const sketch = document.createElement("canvas");

/** Sets a disc and the way to it. `apply(index)` is called for every pixel touched.
 * @type {(size: {width: number, height: number}, from: Point, to: Point, radius: number, apply: (i: number) => void) => void} */
export function stroke(size, from, to, radius, apply) {
  const { width, height } = size;
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const steps = Math.max(1, Math.ceil(length / Math.max(1, radius / 3)));
  for (let i = 0; i <= steps; i++) {
    const x = from.x + ((to.x - from.x) * i) / steps;
    const y = from.y + ((to.y - from.y) * i) / steps;
    disc(width, height, x, y, radius, apply);
  }
}

function disc(width, height, x, y, radius, apply) {
  const top = Math.max(0, Math.ceil(y - radius - 0.5));
  const bottom = Math.min(height - 1, Math.floor(y + radius - 0.5));
  for (let row = top; row <= bottom; row++) {
    const dy = row + 0.5 - y;
    const half = Math.sqrt(Math.max(0, radius * radius - dy * dy));
    const left = Math.max(0, Math.ceil(x - half - 0.5));
    const right = Math.min(width - 1, Math.floor(x + half - 0.5));
    for (let column = left; column <= right; column++) apply(row * width + column);
  }
}

const OFFERED = "#3ea6ff"; // a mask's colour before there is an object

/** Paints the mask that is in one bit of a map, white at its edge; gives the number of its pixels.
 * @type {(canvas: HTMLCanvasElement, size: {width: number, height: number}, bits: Uint8Array, bit: number,
 *   colour: string | undefined, opacity: number) => number} */
export function inkMask(canvas, { width, height }, bits, bit, colour, opacity) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const one = 1 << bit;
  const rgb = Number.parseInt((colour ?? OFFERED).slice(1), 16);
  const ink = ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16);
  const fill = ((opacity << 24) | ink) >>> 0;
  const line = ((Math.min(255, opacity + 0x66) << 24) | 0xffffff) >>> 0;
  let count = 0;
  for (let i = 0; i < bits.length; i++) {
    if (!(bits[i] & one)) continue;
    count++;
    const x = i % width;
    const inner =
      (x === 0 || bits[i - 1] & one) && (x === width - 1 || bits[i + 1] & one) &&
      (i < width || bits[i - width] & one) && (i + width >= bits.length || bits[i + width] & one);
    pixels[i] = inner ? fill : line;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return count;
}

/** Calls `apply(index)` for every pixel whose centre is in a polygon.
 * @type {(size: {width: number, height: number}, points: Point[], apply: (i: number) => void) => void} */
export function polygon(size, points, apply) {
  const { width, height } = size;
  sketch.width = width;
  sketch.height = height;
  const pen = sketch.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff";
  pen.beginPath();
  points.forEach((p, i) => (i ? pen.lineTo(p.x, p.y) : pen.moveTo(p.x, p.y)));
  pen.closePath();
  pen.fill();
  const data = pen.getImageData(0, 0, width, height).data;
  for (let i = 0; i < width * height; i++) if (data[4 * i + 3] > 127) apply(i);
}
