// One picture in, one answer out: the pipeline of the exported task.

import { HandClassifier, HandPostprocessor } from "./hand_classifier.js";
import { HandFinder } from "./hands.js";
import { HandNetworks } from "./hand_networks.js";
import { BoxFinder } from "./guide_box.js";
import { colourInput } from "./pictures.js";
import { Smoother } from "./smoothing.js";
import { WritingClassifier, WritingFinder, WritingPostprocessor, writingText } from "./writing.js";

// The stages of each subject. `isStream` says that the pictures are frames of one stream.
const SUBJECTS = {
  hand: {
    stages({ model, networks, classifier }, isStream) {
      return {
        finder: new HandFinder(new HandNetworks(networks.palms, networks.hand), isStream),
        classifier: new HandClassifier(model.kind, model.preprocessing.side, classifier, networks.hand, isStream),
        postprocessor: new HandPostprocessor(),
      };
    },
    text: joined,
  },
  box: {
    stages: ({ model, classifier }) => ({ finder: new BoxFinder(), classifier: new ObjectClassifier(model.preprocessing.side, classifier) }),
    text: joined,
  },
  paper: {
    stages: ({ networks, classifier }, isStream) => ({
      finder: new WritingFinder(networks, isStream),
      classifier: new WritingClassifier(classifier),
      postprocessor: new WritingPostprocessor(),
    }),
    text: writingText,
  },
};

class ObjectClassifier {
  constructor(side, classifier) {
    Object.assign(this, { side, classifier });
  }

  async predict(picture, regions) {
    const predictions = [];
    for (const region of regions) predictions.push(this.classifier.prediction(await this.scores(picture, region)));
    return predictions;
  }

  scores(picture, { box }) {
    return this.classifier.scores([colourInput(picture, box, this.side)]);
  }
}

function joined(regions, predictions) {
  return predictions.map(({ label }) => label).filter((label) => label !== null).join(" ");
}

export class Recognizer {
  // `opened`: the model with its networks and arrays, of model.js.
  constructor(opened, isStream) {
    const subject = SUBJECTS[opened.model.subject];
    Object.assign(this, subject.stages(opened, isStream), { textOf: subject.text, smoother: isStream ? new Smoother() : null });
  }

  // {size, text, regions, guide, stages_ms} of an ImageData, as the server's answer. `time` in seconds, of a stream.
  async read(picture, time = 0) {
    const clock = new Clock();
    let regions = await this.finder.find(picture, time);
    clock.lap("find");
    let predictions = await this.classifier.predict(picture, regions);
    clock.lap("classify");
    if (this.postprocessor) ({ regions, predictions } = this.postprocessor.postprocess(time, regions, predictions));
    if (this.smoother) predictions = this.smoother.update(time, regions, predictions);
    clock.lap("smooth");
    return {
      size: [picture.width, picture.height],
      text: this.textOf(regions, predictions),
      regions: regions.map((region, index) => ({ ...region, ...predictions[index], joints: region.hand?.joints })),
      guide: this.finder.guide,
      stages_ms: clock.laps,
    };
  }
}

class Clock {
  laps = {};
  last = performance.now();

  lap(stage) {
    const now = performance.now();
    this.laps[stage] = now - this.last;
    this.last = now;
  }
}
