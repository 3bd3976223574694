import { join } from 'node:path';
import ts from 'typescript';
import { codeBlocks, PAGES, readPage, ROOT } from './pages.js';

/** Blocks of all pages as files beside this one, so that their imports resolve as a user's do. */
const files = new Map(
  PAGES.flatMap((page) =>
    codeBlocks(readPage(page), 'ts').map((block, i) => {
      const name = `${page.replaceAll('/', '-')}-block-${i + 1}.ts`;
      return [join(ROOT, 'test/sample', name), block] as const;
    }),
  ),
);

function problems(): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.getSourceFile = (name, ...rest) => {
    const block = files.get(name);
    return block === undefined
      ? getSourceFile(name, ...rest)
      : ts.createSourceFile(name, block, ts.ScriptTarget.ES2023);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()]
    .flatMap((name) => ts.getPreEmitDiagnostics(program, program.getSourceFile(name)))
    .map(({ file, messageText }) => {
      const text = ts.flattenDiagnosticMessageText(messageText, ' ');
      return `${file?.fileName.slice(ROOT.length + 1) ?? 'options'}: ${text}`;
    });
}

describe('README and docs', () => {
  it('show code that compiles', () => {
    expect(files.size).toBeGreaterThan(0);
    expect(problems()).toEqual([]);
  });
});
