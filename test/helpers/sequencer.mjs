// jest's testSequencer: the files of test/unit come last, as long as no earlier run tells how long each takes.
//
// jest goes by their size then, and some of the smallest take longest: a dozen lines that start a cluster or a sample.
// The last of these would leave all workers but one idle. The files of test/unit are short: they fill the end.
import TestSequencer from '@jest/test-sequencer';

const isShort = ({ path, duration }) =>
  duration === undefined && /[/\\]test[/\\]unit[/\\]/.test(path);

export default class extends TestSequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter((test) => !isShort(test)), ...sorted.filter(isShort)];
  }
}
