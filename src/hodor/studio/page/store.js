// What the page knows, in one place. Parts of the page draw themselves from it when it changes.

/** @type {State} */
export const state = {
  online: false,
  video: null,
  folder: "",
  model: "",
  objects: [],
  given: {}, // by id: frames with given masks
  gone: {}, // by id: frames from which on it is gone
  stale: {}, // by id: 1 where tracking is to be done
  curves: {}, // by id: confidence, NaN where unknown
  undo: false,
  redo: false,
  job: null,
  exports: [],
  pages: 1,
  frame: Number(/^#frame=(\d+)$/.exec(location.hash)?.[1] ?? 0),
  scrubbing: false,
  drawing: false, // a stroke is being drawn: what is shown must not be replaced
  playing: false,
  follow: true,
  selected: null,
  hidden: new Set(),
  tool: "brush",
  brush: 24,
  brushChosen: false, // whether the user said so; until then it goes by what is visible
  bare: false, // the frame without masks, while a key is held
  opacity: 45,
  theme: null,
  clicks: false, // whether the server finds masks of clicks
  segmenting: 0, // masks that were asked for and are not here yet
  looking: null, // frame that is being looked at for clicks
  lookedAt: null, // the last one that was
  offered: false, // whether a mask of clicks waits to be taken
  news: "", // what a key has just done, said in the options' line
  about: null, // of the frame that is shown
  labelsChanged: 0, // when label maps had to be read anew
  unsaved: 0,
  failure: null, // what went wrong and may be tried again
  problem: null, // what is wrong with the frame that is wanted
};

/** @type {[Set<keyof State>, () => void][]} */
const listeners = [];
/** @type {Set<keyof State>} */
let changed = new Set();

/** Calls `draw` after any of the named parts of the state has changed.
 * @type {(keys: (keyof State)[], draw: () => void) => void} */
export function on(keys, draw) {
  listeners.push([new Set(keys), draw]);
}

/** Changes parts of the state; who depends on them draws once, soon after.
 * @type {(changes: Partial<State>) => void} */
export function update(changes) {
  const first = changed.size === 0;
  Object.assign(state, changes);
  for (const key of Object.keys(changes)) changed.add(/** @type {keyof State} */ (key));
  if (first && changed.size) queueMicrotask(flush);
}

function flush() {
  const keys = changed;
  changed = new Set();
  for (const [wanted, draw] of listeners) {
    for (const key of keys) {
      if (wanted.has(key)) {
        draw();
        break;
      }
    }
  }
}

/** Says in the line above the frame what a key has done; the next change of tool or frame ends it. */
export const goodNews = (news) => update({ news });

export const selectedObject = () => state.objects.find((o) => o.id === state.selected) ?? null;

/** Whether frames are being tracked at this moment: not while that is paused. */
export const isTracking = () =>
  state.job?.kind === "track" && ["starting", "running"].includes(state.job.state);

export const isBusy = () => ["starting", "running", "paused"].includes(state.job?.state);

/** Moves to a frame, within the video.
 * @type {(frame: number, more?: Partial<State>) => void} */
export function goTo(frame, more = {}) {
  const last = state.video.frames - 1;
  update({ frame: Math.max(0, Math.min(last, Math.round(frame))), ...more });
}

/** What the server says of masks and objects, as the page keeps it.
 * @type {(event: Marks) => void} */
export function takeMarks(event) {
  /** @type {ById<Uint8Array>} */
  const stale = {};
  for (const [id, ranges] of Object.entries(event.stale)) {
    stale[id] = new Uint8Array(state.video.frames);
    for (const [first, last] of ranges) stale[id].fill(1, first, last + 1);
  }
  update({ given: event.given, gone: event.gone, stale, undo: event.undo, redo: event.redo });
}

/** Objects, with one selected as long as there is any.
 * @type {(objects: Followed[]) => void} */
export function takeObjects(objects) {
  const still = objects.some((o) => o.id === state.selected);
  update({ objects, selected: still ? state.selected : (objects.at(-1)?.id ?? null) });
}
