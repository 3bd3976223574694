// The last step of the build: dist/redis/lua-text.js holds the texts of all scripts instead of reading their files. An application
// that is bundled (esbuild, rollup, webpack) has one file, and nothing beside it. The files stay, for whoever reads them.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LUA = 'dist/redis/lua';
const MODULE = 'dist/redis/lua-text.js';

const texts = Object.fromEntries(
  readdirSync(LUA)
    .filter((file) => file.endsWith('.lua'))
    .sort()
    .map((file) => [file.slice(0, -'.lua'.length), readFileSync(join(LUA, file), 'utf8')]),
);
if (!readFileSync(MODULE, 'utf8').includes('export function luaText'))
  throw new Error(`${MODULE} does not export luaText: what is to take its place?`);
writeFileSync(
  MODULE,
  `// Made by the build from the files of lua/.
const TEXTS = ${JSON.stringify(texts, undefined, 2)};
export function luaText(name) {
    const text = TEXTS[name];
    if (text === undefined)
        throw new Error(\`There is no script "\${name}"\`);
    return text;
}
`,
);
// It would map to a text that is not there any more.
rmSync(`${MODULE}.map`, { force: true });
