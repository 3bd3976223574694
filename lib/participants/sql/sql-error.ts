const CODES = ['code', 'errno', 'extendedCode', 'originalCode', 'sqlState'] as const;
/** Where clients put the error of the driver below them. */
const WRAPS = ['cause', 'driverError', 'originalError', 'meta', 'driverAdapterError'] as const;
const DEEPEST = 6;

/** The codes that an error of any client carries, its own and those of the errors it wraps. */
export function codesOf(error: unknown): Set<string> {
  const codes = new Set<string>();
  const look = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > DEEPEST) return;
    const facts = value as Record<string, unknown>;
    for (const name of CODES) {
      const code = facts[name];
      if (typeof code === 'string' || typeof code === 'number') codes.add(String(code));
    }
    for (const name of WRAPS) look(facts[name], depth + 1);
  };
  look(error, 0);
  return codes;
}

/** The fault that the first of these codes stands for. */
export function faultByCode<Fault extends string>(
  error: unknown,
  faults: Record<Fault, readonly string[]>,
): Fault | 'other' {
  const codes = codesOf(error);
  for (const [fault, known] of Object.entries(faults) as [Fault, readonly string[]][])
    if (known.some((code) => codes.has(code))) return fault;
  return 'other';
}
