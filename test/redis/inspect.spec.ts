import { describeAdmin } from '../unit/inspect/all.js';
import { redisBeds } from './helpers/open-bed.js';

describeAdmin('on Redis', redisBeds());
