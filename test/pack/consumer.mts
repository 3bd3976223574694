import * as rivulet from 'nestjs-rivulet';
import * as testing from 'nestjs-rivulet/testing';

console.log(Object.keys(rivulet), Object.keys(testing));
