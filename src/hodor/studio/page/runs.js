// Label maps as runs of equal values: [value, count, value, count, ...], row by row.

/** A label map of `pixels` pixels.
 * @type {(runs: Uint32Array, pixels: number) => Uint8Array} */
export function decode(runs, pixels) {
  const labels = new Uint8Array(pixels);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const next = at + runs[i + 1];
    if (runs[i]) labels.fill(runs[i], at, next);
    at = next;
  }
  return labels;
}

/** The runs of one object's mask in a label map.
 * @type {(labels: Uint8Array, id: number) => Uint32Array} */
export function encodeMask(labels, id) {
  const runs = [];
  let inside = labels[0] === id;
  let start = 0;
  for (let i = 1; i < labels.length; i++) {
    if ((labels[i] === id) !== inside) {
      runs.push(inside ? 1 : 0, i - start);
      start = i;
      inside = !inside;
    }
  }
  runs.push(inside ? 1 : 0, labels.length - start);
  return Uint32Array.from(runs);
}
