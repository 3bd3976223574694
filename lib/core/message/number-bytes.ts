const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Digits are taken from whole numbers below this. */
const TWO_POWER_31 = 2 ** 31;
const BILLION = 1e9;
const BILLIONS_PLACES = 9;
const PLACES = 3;
const SCALE = 10 ** PLACES;

/**
 * Writes a number that is no more than three places behind the point, as prices and measured values are, or whole and safe,
 * as times are. `String` would keep what it makes of each in a cache, among what is old, and collecting that costs more
 * than the digits (decision 35).
 *
 * @returns where it ends; `at` for any other number, and something may have been written then. Takes 17 bytes at most.
 */
export function writeShortNumber(value: number, target: Buffer, at: number): number {
  const size = Math.abs(value);
  const from = value < 0 ? at + 1 : at;
  target[at] = MINUS;
  const end =
    size < TWO_POWER_31 ? writeDecimal(size, target, from) : writeLong(size, target, from);
  return end === from ? at : end;
}

/** From 0 to 2³¹ - 1. */
export function writeDigits(value: number, target: Buffer, at: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end++;
  return writePlaces(value, target, at, end);
}

/**
 * A decimal of at most 15 digits is the shortest that means its number: if one with three places means it, it is what
 * JavaScript writes, but for zeros at its end.
 */
function writeDecimal(size: number, target: Buffer, at: number): number {
  const thousandths = Math.floor(size * SCALE + 0.5);
  if (thousandths / SCALE !== size) return at;
  const whole = Math.floor(thousandths / SCALE);
  let fraction = thousandths - whole * SCALE;
  const point = writeDigits(whole, target, at);
  if (fraction === 0) return point;
  let places = PLACES;
  for (; fraction % 10 === 0; places--) fraction /= 10;
  target[point] = POINT;
  return writePlaces(fraction, target, point + 1, point + 1 + places);
}

function writeLong(size: number, target: Buffer, at: number): number {
  if (!Number.isSafeInteger(size)) return at;
  const billions = Math.floor(size / BILLION);
  const start = writeDigits(billions, target, at);
  return writePlaces(size - billions * BILLION, target, start, start + BILLIONS_PLACES);
}

function writePlaces(value: number, target: Buffer, at: number, end: number): number {
  let rest = value;
  for (let place = end - 1; place >= at; place--) {
    const tenth = (rest / 10) | 0;
    target[place] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return end;
}
