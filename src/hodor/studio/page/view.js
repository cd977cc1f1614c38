// Where the frame is on the canvas: zoom and pan, and from the pointer to pixels of the frame.

/** @type {{scale: number, left: number, top: number, fitted: boolean}} */
export const view = { scale: 1, left: 0, top: 0, fitted: true };

/** Shows the whole frame, centred.
 * @type {(canvas: HTMLCanvasElement, video: Video) => void} */
export function fit(canvas, video) {
  const margin = 16 * devicePixelRatio;
  const across = (canvas.width - 2 * margin) / video.width;
  const down = (canvas.height - 2 * margin) / video.height;
  view.scale = Math.max(0.02, Math.min(across, down));
  view.left = (canvas.width - video.width * view.scale) / 2;
  view.top = (canvas.height - video.height * view.scale) / 2;
  view.fitted = true;
}

/** Zooms by a factor about a point of the canvas, in device pixels.
 * @type {(factor: number, x: number, y: number) => void} */
export function zoom(factor, x, y) {
  const scale = Math.max(0.05, Math.min(40, view.scale * factor));
  view.left = x - ((x - view.left) * scale) / view.scale;
  view.top = y - ((y - view.top) * scale) / view.scale;
  view.scale = scale;
  view.fitted = false;
}

/** @type {(dx: number, dy: number) => void} */
export function pan(dx, dy) {
  view.left += dx;
  view.top += dy;
  view.fitted = false;
}

/** A pointer's place: on the canvas in device pixels, and in the frame in its pixels.
 * @type {(event: MouseEvent, canvas: HTMLCanvasElement) => Place} */
export function place(event, canvas) {
  const box = canvas.getBoundingClientRect();
  const cx = (event.clientX - box.left) * devicePixelRatio;
  const cy = (event.clientY - box.top) * devicePixelRatio;
  return { cx, cy, x: (cx - view.left) / view.scale, y: (cy - view.top) / view.scale };
}
