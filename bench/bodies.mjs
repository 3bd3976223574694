// The same bodies for everybody: 250 bytes of JSON, made before anything is measured.
const DISTINCT = 1_000;
const BYTES = 250;

function body(i) {
  const order = {
    orderId: `order-${100_000 + i}`,
    customer: { id: 4_000 + (i % 997), region: 'eu-central' },
    total: 129.9 + i,
    currency: 'EUR',
    paid: i % 2 === 0,
    lines: [{ sku: `sku-${i % 37}`, quantity: 1 + (i % 5), price: 19.9 }],
    note: '',
  };
  return { ...order, note: 'x'.repeat(BYTES - JSON.stringify(order).length) };
}

export const bodies = Array.from({ length: DISTINCT }, (_, i) => body(i));
export const texts = bodies.map((each) => JSON.stringify(each));

/** For libraries that take a value and encode it themselves. */
export const bodyAt = (i) => bodies[i % DISTINCT];
/** For the raw floor, which sends text that is ready. */
export const textAt = (i) => texts[i % DISTINCT];

if (texts.some((text) => Buffer.byteLength(text) !== BYTES))
  throw new Error(`Every body must be ${BYTES} bytes long`);
