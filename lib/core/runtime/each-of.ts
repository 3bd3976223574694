/**
 * Runs `work` for every item, so many at a time.
 *
 * @throws the first failure, once all have ended: nothing of it is still under way when this is called again.
 */
export async function eachOf<Item>(
  items: Iterable<Item>,
  { atOnce, work }: { atOnce: number; work(item: Item): Promise<void> },
): Promise<void> {
  const left = [...items];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift())
      await work(item).catch((error: unknown) => void failures.push(error));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) throw failures[0];
}
