import rivulet = require('nestjs-rivulet');
import testing = require('nestjs-rivulet/testing');
import participants = require('nestjs-rivulet/participants');

console.log(participants.schema('mysql'));
console.log(Object.keys(rivulet), Object.keys(testing));
