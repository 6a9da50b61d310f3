/** The same as `engines` of every package. */
const OLDEST = { major: 22, minor: 12 } as const

interface Host {
  readonly process?: { readonly versions?: { readonly node?: string } }
}

/** Why Keepsend does not run here, in one line. A platform without a version of Node, such as Workers, is accepted. */
export function refusalOf(
  version: string | undefined = (globalThis as Host).process?.versions?.node,
): string | undefined {
  const [major = Number.NaN, minor = 0] = (version ?? '').split('.').map(Number)
  const isOld = major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)
  return isOld ? `Keepsend needs Node ${OLDEST.major}.${OLDEST.minor} or later; found ${version}` : undefined
}

/**
 * An error that prints as one line and its location when it ends the process, without the fields and the stack that
 * Node would print below.
 */
export function inOneLine<Refusal extends Error>(make: () => Refusal): Refusal {
  const v8 = Error as { stackTraceLimit?: number | undefined }
  const { stackTraceLimit } = v8
  v8.stackTraceLimit = 1
  try {
    const error = make()
    for (const key of Object.keys(error)) Object.defineProperty(error, key, { enumerable: false })
    return error
  } finally {
    v8.stackTraceLimit = stackTraceLimit
  }
}
