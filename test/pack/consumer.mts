import * as rivulet from 'nestjs-rivulet';
import * as testing from 'nestjs-rivulet/testing';
import { schema } from 'nestjs-rivulet/participants';

console.log(schema('postgres'));
console.log(Object.keys(rivulet), Object.keys(testing));
