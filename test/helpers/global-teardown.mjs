// jest's globalTeardown.
export default () => globalThis.stopSharedServers();
