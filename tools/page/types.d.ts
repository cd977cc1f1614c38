// What the scripts of the studio's page hand to one another and get from the server, for TypeScript
// alone: the page is served as it stands. Whatever may be null while it is not known is so.

interface Video { name: string; path: string; frames: number; fps: number; height: number; width: number }

interface Followed { id: number; name: string; colour: string }

interface Job {
  kind: "track" | "export";
  state: "starting" | "running" | "paused" | "done" | "failed" | "cancelled";
  message: string;
  warnings: string[];
  done: number;
  total: number;
  frame: number | null;
  speed: number | null;
  left: number | null;
}

interface Export { name: string; title: string; about: string; file: string }

type Tool = "hand" | "click" | "brush" | "eraser" | "polygon" | "box" | "strokes";

/** Tables by an object's id. */
type ById<T> = Record<number, T>;

// What the server says

interface Marks {
  given: ById<number[]>;
  gone: ById<number[]>;
  stale: ById<[first: number, last: number][]>;
  undo: boolean;
  redo: boolean;
}

interface Answer extends Marks {
  video: Video;
  folder: string;
  model: string;
  objects: Followed[];
  job: Job | null;
  exports: Export[];
  clicks: boolean;
}

/** Of one frame. */
interface About { edited: number; given: number[]; gone: number[]; confidence: ById<number> }

// What the page keeps

interface State {
  online: boolean;
  video: Video | null;
  folder: string;
  model: string;
  objects: Followed[];
  given: ById<number[]>;
  gone: ById<number[]>;
  stale: ById<Uint8Array>;
  curves: ById<Float32Array>;
  undo: boolean;
  redo: boolean;
  job: Job | null;
  exports: Export[];
  pages: number;
  frame: number;
  scrubbing: boolean;
  drawing: boolean;
  playing: boolean;
  follow: boolean;
  selected: number | null;
  hidden: Set<number>;
  tool: Tool;
  brush: number;
  brushChosen: boolean;
  bare: boolean;
  opacity: number;
  theme: "light" | "dark" | null;
  clicks: boolean;
  segmenting: number;
  looking: number | null;
  lookedAt: number | null;
  offered: boolean;
  news: string;
  about: About | null;
  labelsChanged: number;
  unsaved: number;
  failure: string | null;
  problem: string | null;
}

interface Picture { number: number; bitmap: ImageBitmap }

interface Labels { labels: Uint8Array; about: About }

interface Shown extends Labels { frame: number; bitmap: ImageBitmap; exact: boolean }

/** A mask that was drawn and is not saved yet. */
interface Waiting { frame: number; id: number; runs: Uint32Array; base: number }

// Pointers and prompts

interface Point { x: number; y: number }

/** Of the pointer: also on the canvas, in device pixels. */
interface Place extends Point { cx: number; cy: number }

type Box = [left: number, top: number, right: number, bottom: number];

interface Stroke { points: [number, number][]; width: number }

interface Drawn { box: Box | null; inside: Stroke[]; outside: Stroke[] }

interface Click extends Partial<Point> { on?: boolean; box?: Box }

/** A tool: what it does with the pointer, and what it remembers meanwhile. */
interface Use {
  noObject?: boolean;
  down?(at: Place, other?: boolean): void;
  move?(at: Place, last?: Place): void;
  up?(): void;
  erase?: boolean;
  from?: Place;
  to?: Place;
  outside?: boolean;
  line?: Stroke;
}

type Pen = CanvasRenderingContext2D;
