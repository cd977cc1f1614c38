// Starts the page.

import { startChrome } from "./chrome.js";
import { startClicks } from "./clicks.js";
import { startDialogs } from "./dialogs.js";
import { sendAll } from "./edits.js";
import { startFramePanel } from "./frame-panel.js";
import { startHover } from "./hover.js";
import { KEYS, startKeys } from "./keys.js";
import { connect } from "./live.js";
import { startObjects } from "./objects.js";
import { startPanels } from "./panels.js";
import { startStage } from "./stage.js";
import { startTimeline } from "./timeline.js";
import { startTools } from "./tools.js";
import { startTracking } from "./tracking.js";
import { startTransport } from "./transport.js";

startPanels();
startStage();
startTools();
startClicks();
startHover();
startTimeline();
startTransport();
startObjects();
startFramePanel();
startTracking();
startChrome();
startDialogs(KEYS);
startKeys();
connect(sendAll);
