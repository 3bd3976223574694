import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = process.cwd();

/** All pages a reader may open, as paths from the root. */
export const PAGES = [
  'README.md',
  'sample/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true })
    .map((name) => join('docs', String(name)))
    .filter((name) => name.endsWith('.md')),
];

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** The fenced blocks of one language, without their fences. */
export function codeBlocks(markdown: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...markdown.matchAll(fence)].map(([, block]) => block!);
}
