/** @type {import('jest').Config} */
export default {
  testEnvironment: './test/helpers/environment.mjs',
  testSequencer: './test/helpers/sequencer.mjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  // For what has stopped; a busy machine may take many times as long as others.
  testTimeout: 240_000,
  globalSetup: './test/helpers/global-setup.mjs',
  globalTeardown: './test/helpers/global-teardown.mjs',
  setupFiles: process.env.RIVULET_ACL === '1' ? ['./test/helpers/least-user/connect.mjs'] : [],
  // One more than the cores of a small machine: most of the time goes in waits for servers, and for what takes time.
  maxWorkers: 3,
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-rivulet$': '<rootDir>/lib/index.ts',
    '^nestjs-rivulet/testing$': '<rootDir>/lib/testing/index.ts',
    '^nestjs-rivulet/opentelemetry$': '<rootDir>/lib/opentelemetry/open-telemetry.ts',
    '^nestjs-rivulet/participants$': '<rootDir>/lib/participants/index.ts',
    '^nestjs-rivulet/participants/(.*)$': '<rootDir>/lib/participants/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1', // './x.js' in TypeScript source is './x.ts'
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  collectCoverageFrom: ['lib/**/*.ts'],
  coverageProvider: 'v8',
  // jest leaks 7-10 MB per ESM test file (vm modules): recycle the workers
  workerIdleMemoryLimit: '256MB',
};
