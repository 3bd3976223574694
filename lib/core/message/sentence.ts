/** Without the period at its end: something follows. */
export function withoutPeriod(text: string): string {
  return text.replace(/\.$/, '');
}
