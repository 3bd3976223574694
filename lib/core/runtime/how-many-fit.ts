/** How many of the first ones have at most so many bytes together: one always, or a large one would never get through. */
export function howManyFit(sizes: readonly number[], mostBytes: number): number {
  let bytes = 0;
  const end = sizes.findIndex((size, i) => {
    bytes += size;
    return i > 0 && bytes > mostBytes;
  });
  return end < 0 ? sizes.length : end;
}
