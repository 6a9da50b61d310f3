/** The names of a function's options. A name whose value is an object of options has a table of its own. */
export interface OptionTable {
  readonly [name: string]: true | OptionTable
}

/** A table that holds every name of a type and no other, by the compiler: `{ limit: true } satisfies OptionNames<T>`. */
export type OptionNames<Options> = Readonly<Record<NameOf<Options>, true | OptionTable>>

// Of a union every member's names.
type NameOf<Options> = Options extends unknown ? keyof Options & string : never

/** Each option of a type may be left out, or given as `undefined`, which means the same. */
export type OptionsOf<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

/** The same options once their defaults are in place. */
export type Resolved<Options> = { [Name in keyof Options]-?: Exclude<Options[Name], undefined> }

/** What {@link withDefaults} answers: an option with a default is never `undefined`. */
export type WithDefaults<Options, Defaults> = Omit<Options, keyof Defaults> & {
  [Name in keyof Defaults]: Name extends keyof Options ? Exclude<Options[Name], undefined> : Defaults[Name]
}

/** The options with a default for each that is missing or `undefined`. */
export function withDefaults<Options extends object, Defaults extends OptionsOf<Options>>(
  options: Options,
  defaults: Defaults,
): WithDefaults<Options, Defaults> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(given) as Options) } as WithDefaults<Options, Defaults>
}

/** The checks of one package, which throws an error class of its own. */
export interface OptionChecks {
  /** Refuses an option outside its bounds, naming the option, what it expects and what was found. */
  readonly checkBounds: (option: string, value: number, min: number, max: number) => void
  /**
   * Refuses a name that the table does not have, and says where it belongs, which name is near, or which there are.
   * 50 ns for four options (measured): cheap enough for a claim and a settle, which run thousands of times a second.
   */
  readonly checkNames: (owner: string, table: OptionTable, options: object) => void
}

/** @param fail makes the package's error out of a message */
export function createOptionChecks(fail: (message: string) => Error): OptionChecks {
  function checkLevel(owner: string, path: readonly string[], levels: readonly OptionTable[], options: object): void {
    const table = levels.at(-1) ?? {}
    for (const name in options) {
      if (!Object.hasOwn(table, name)) throw fail(describeUnknown(owner, path, levels, name))
      const nested = table[name]
      if (nested === true || nested === undefined) continue
      const value: unknown = Reflect.get(options, name)
      if (typeof value === 'object' && value !== null) checkLevel(owner, [...path, name], [...levels, nested], value)
    }
  }

  return {
    checkBounds(option, value, min, max) {
      if (!Number.isSafeInteger(value) || value < min || value > max) {
        throw fail(`${option} must be a whole number from ${min} to ${max}; found ${String(value)}`)
      }
    },
    checkNames(owner, table, options) {
      if (typeof options !== 'object' || options === null) {
        throw fail(`${owner} takes an object of options; found ${String(options)}`)
      }
      checkLevel(owner, [], [table], options)
    },
  }
}

function describeUnknown(owner: string, path: readonly string[], levels: readonly OptionTable[], name: string): string {
  const table = levels.at(-1) ?? {}
  const start = `${owner} has no option ${[...path, name].join('.')}`
  const below = placesOf(table, name)
  if (below.length > 0) return `${start}: it belongs into ${below.join(' or ')}`
  const above = levels.findLastIndex((level) => Object.hasOwn(level, name))
  if (above !== -1) return `${start}: it belongs beside ${path[above]}`
  const near = nearest(name, Object.keys(table))
  if (near !== undefined) return `${start}; did you mean ${[...path, near].join('.')}?`
  return `${start}; it has ${Object.keys(table).join(', ')}`
}

/** Where in nested objects there is an option of that name, written as it would be given: `engine: { urlPolicy }`. */
function placesOf(table: OptionTable, name: string): string[] {
  return Object.entries(table).flatMap(([outer, nested]) => {
    if (nested === true) return []
    const inner = Object.hasOwn(nested, name) ? [name] : placesOf(nested, name)
    return inner.map((place) => `${outer}: { ${place} }`)
  })
}

/** The known name that a typing error leads to, if one is close enough to be meant. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
  return best && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined
}

/** How many characters must be inserted, removed or replaced (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
