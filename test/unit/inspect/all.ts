import type { OpenAdminBed } from './bed.js';
import { describeDeadLetterAdmin } from './dead-letters.suite.js';
import { describeGroupAdmin } from './groups.suite.js';
import { describeHalfAdmin } from './halves.suite.js';
import { describeMessageAdmin } from './messages.suite.js';
import { describePauseAdmin } from './pause.suite.js';
import { describeRewindAdmin } from './rewind.suite.js';
import { describeLaneAdmin } from './lanes.suite.js';
import { describeTopicAdmin } from './topics.suite.js';

/** What `MessageAdmin` promises, whatever the store. */
export function describeAdmin(where: string, open: OpenAdminBed): void {
  describe(`MessageAdmin ${where}`, () => {
    describeTopicAdmin(open);
    describeGroupAdmin(open);
    describeMessageAdmin(open);
    describeDeadLetterAdmin(open);
    describeHalfAdmin(open);
    describeRewindAdmin(open);
    describePauseAdmin(open);
    describeLaneAdmin(open);
  });
}
