import rivulet = require('nestjs-rivulet');
import testing = require('nestjs-rivulet/testing');

console.log(Object.keys(rivulet), Object.keys(testing));
