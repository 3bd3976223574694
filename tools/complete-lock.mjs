// npm writes into package-lock.json only the platform packages its registry offers. A mirror without the macOS and
// Windows builds (swc, oxlint, jest's resolver) yields a lock that `npm ci` refuses everywhere with EUSAGE.
// Run this after each `npm install <package>`: it adds what is missing. The added entries carry no integrity; npm
// takes it from the registry it installs them from.
import { readFileSync, writeFileSync } from 'node:fs';

const LOCK = 'package-lock.json';
const OS = /(android|darwin|freebsd|openharmony|win32|linux|aix|sunos|netbsd|openbsd)/;
const CPU = /(arm64|arm|x64|ia32|ppc64|s390x|riscv64|loong64|wasm32)/;

const lock = JSON.parse(readFileSync(LOCK, 'utf8'));
const { packages } = lock;
const missing = Object.entries(packages).flatMap(([path, { dev, optionalDependencies = {} }]) =>
  Object.entries(optionalDependencies)
    .filter(
      ([name]) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    )
    .filter(([name, version]) => /^\d/.test(version) && CPU.test(name))
    .map(([name, version]) => [`node_modules/${name}`, platformPackage(name, version, dev)]),
);

function platformPackage(name, version, dev) {
  const os = OS.exec(name)?.[1];
  const libc = /musl/.test(name)
    ? 'musl'
    : os === 'linux' && /gnu/.test(name)
      ? 'glibc'
      : undefined;
  return {
    version,
    cpu: [CPU.exec(name)[1]],
    ...(dev && { dev }),
    optional: true,
    ...(os && { os: [os] }),
    ...(libc && { libc: [libc] }),
  };
}

lock.packages = Object.fromEntries(
  [...Object.entries(packages), ...missing].sort(([a], [b]) => (a < b ? -1 : 1)),
);
writeFileSync(LOCK, JSON.stringify(lock, null, 2) + '\n');
console.log(`added ${missing.length} platform packages`);
