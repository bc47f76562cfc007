import { answerBy } from "./answering.js";
import { readFrameTimes } from "./frame_times.js";

answerBy({ readFrameTimes });
