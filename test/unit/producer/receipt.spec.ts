import { openMemoryBed } from '../inspect/bed.js';
import { describeReceipts } from './receipt.suite.js';

describeReceipts('in memory', openMemoryBed);
