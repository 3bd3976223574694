import { describeReceipts } from '../unit/producer/receipt.suite.js';
import { redisBeds } from './helpers/open-bed.js';

describeReceipts('on Redis', redisBeds());
