/** The type of an option's value. `any` is for unions, which the function checks itself. */
type Kind = 'text' | 'texts' | 'number' | 'numbers' | 'boolean' | 'list' | 'function' | 'object' | 'any'

/**
 * The options of a function, by name, each with its type. An option whose value is an object of options has a table of
 * its own.
 */
export interface OptionTable {
  /** The value that may be given instead of the object. */
  readonly [OR]?: 'null' | 'a text' | 'a function' | 'true or false'
  readonly [name: string]: Kind | `${Kind} or null` | OptionTable
}

export const OR = Symbol('or')

/**
 * A table that has every name of a type with its kind, and no other, checked by the compiler: `{ limit: 'number' }
 * satisfies OptionNames<T>`.
 */
export type OptionNames<Options> = {
  readonly [Name in NameOf<Options>]: Entry<Exclude<ValueOf<Options, Name>, undefined>>
}

// The names of every member of a union.
type NameOf<Options> = Options extends unknown ? keyof Options & string : never
type ValueOf<Options, Name> = Options extends unknown ? (Name extends keyof Options ? Options[Name] : never) : never

type Entry<Value> = null extends Value ? OrNull<KindOf<Exclude<Value, null>>> : KindOf<Value>
type OrNull<Of> = Of extends string ? `${Of} or null` : Of & { readonly [OR]: 'null' }
type KindOf<Value> = [Value] extends [string]
  ? 'text'
  : [Value] extends [number]
    ? 'number'
    : [Value] extends [boolean]
      ? 'boolean'
      : [Value] extends [readonly string[]]
        ? 'texts'
        : [Value] extends [readonly number[]]
          ? 'numbers'
          : [Value] extends [readonly unknown[]]
            ? 'list'
            : [Value] extends [(...parameters: never) => unknown]
              ? 'function' | OptionTable
              : 'object' | 'any' | OptionTable

/** The same options, each of which may be missing or `undefined`, which means the same. */
export type OptionsOf<Options> = { [Name in keyof Options]?: Options[Name] | undefined }

/** The same options with their defaults in place. */
export type Resolved<Options> = { [Name in keyof Options]-?: Exclude<Options[Name], undefined> }

/** The result of {@link withDefaults}: an option with a default is never `undefined`. */
export type WithDefaults<Options, Defaults> = Omit<Options, keyof Defaults> & {
  [Name in keyof Defaults]: Name extends keyof Options ? Exclude<Options[Name], undefined> : Defaults[Name]
}

/** Returns the options with the default of each that is missing or `undefined`. */
export function withDefaults<Options extends object, Defaults extends OptionsOf<Options>>(
  options: Options,
  defaults: Defaults,
): WithDefaults<Options, Defaults> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(given) as Options) } as WithDefaults<Options, Defaults>
}

/** The checks of one package, which throw that package's error class. */
export interface OptionChecks {
  /** Refuses a number outside its bounds, naming the option, the bounds and the value. */
  readonly checkBounds: (option: string, value: number, min: number, max: number) => void
  /** Refuses a value that is not one of these, naming the option, the values and the value. `undefined` is accepted. */
  readonly checkOneOf: (option: string, value: string | undefined, values: readonly string[]) => void
  /**
   * Refuses a name that the table does not have, and says where it belongs, which name is similar, or which names
   * exist; and a value of another type than the table says. `undefined` is always accepted.
   *
   * Takes 50 ns for four options (measured): cheap enough for a claim and a settle, which run thousands of times a
   * second.
   */
  readonly checkNames: (owner: string, table: OptionTable, options: object) => void
  /** Refuses an object without these methods, naming those that it lacks. `undefined` is not checked. */
  readonly checkMethods: (option: string, value: object | undefined, methods: readonly string[]) => void
}

/** @param fail makes the package's error from a message */
export function createOptionChecks(fail: (message: string) => Error): OptionChecks {
  function checkLevel(owner: string, path: readonly string[], levels: readonly OptionTable[], options: object): void {
    const table = levels.at(-1) ?? {}
    for (const name in options) {
      if (!Object.hasOwn(table, name)) throw fail(describeUnknown(owner, path, levels, name))
      const entry = table[name] ?? 'any'
      const value: unknown = Reflect.get(options, name)
      if (value === undefined) continue
      if (!isOf(entry, value)) throw fail(describeWrong([...path, name].join('.'), entry, value))
      if (typeof entry === 'object' && isObject(value)) checkLevel(owner, [...path, name], [...levels, entry], value)
    }
  }

  return {
    checkBounds(option, value, min, max) {
      if (!Number.isSafeInteger(value) || value < min || value > max) {
        throw fail(`${option} must be a whole number from ${min} to ${max}; found ${String(value)}`)
      }
    },
    checkOneOf(option, value, values) {
      if (value !== undefined && !values.includes(value))
        throw fail(`${option} must be one of ${values.join(', ')}; found ${JSON.stringify(value)}`)
    },
    checkNames(owner, table, options) {
      if (typeof options !== 'object' || options === null) {
        throw fail(`${owner} takes an object of options; found ${String(options)}`)
      }
      checkLevel(owner, [], [table], options)
    },
    checkMethods(option, value, methods) {
      if (value === undefined) return
      const missing = methods.filter((name) => typeof Reflect.get(value, name) !== 'function')
      if (missing.length > 0)
        throw fail(`${option} must have the methods ${methods.join(', ')}; it has no ${missing.join(', ')}`)
    },
  }
}

function isOf(entry: Kind | `${Kind} or null` | OptionTable, value: unknown): boolean {
  if (typeof entry === 'object') {
    if (value === null) return entry[OR] === 'null'
    if (typeof value === 'string') return entry[OR] === 'a text'
    if (typeof value === 'boolean') return entry[OR] === 'true or false'
    // The table is that of its result.
    if (typeof value === 'function') return entry[OR] === 'a function'
    return isObject(value)
  }
  if (entry.endsWith(NULL)) return value === null || HOLDS[entry.slice(0, -NULL.length) as Kind](value)
  return HOLDS[entry as Kind](value)
}

const NULL = ' or null'

const HOLDS: Record<Kind, (value: unknown) => boolean> = {
  text: (value) => typeof value === 'string',
  texts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  number: (value) => typeof value === 'number',
  numbers: (value) => Array.isArray(value) && value.every((one) => typeof one === 'number'),
  boolean: (value) => typeof value === 'boolean',
  list: (value) => Array.isArray(value),
  function: (value) => typeof value === 'function',
  object: isObject,
  any: () => true,
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const WORDS: Record<Kind, string> = {
  text: 'a text',
  texts: 'a list of texts',
  number: 'a number',
  numbers: 'a list of numbers',
  boolean: 'true or false',
  list: 'a list',
  function: 'a function',
  object: 'an object',
  any: 'anything',
}

/** Describes only the type of the value, because it may be a secret. */
function describeWrong(name: string, entry: Kind | `${Kind} or null` | OptionTable, value: unknown): string {
  const [kind, or] =
    typeof entry === 'object'
      ? (['object', entry[OR]] as const)
      : ([entry.replace(NULL, '') as Kind, entry.endsWith(NULL) ? 'null' : undefined] as const)
  return `${name} must be ${WORDS[kind]}${or === undefined ? '' : `, or ${or}`}; found ${foundIn(value)}`
}

function foundIn(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) {
    const other = value.find((one) => typeof one !== 'string')
    return other === undefined ? 'a list of texts' : `a list with ${foundIn(other)}`
  }
  if (typeof value === 'string') return 'a text'
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function describeUnknown(owner: string, path: readonly string[], levels: readonly OptionTable[], name: string): string {
  const table = levels.at(-1) ?? {}
  const start = `${owner} has no option ${[...path, name].join('.')}`
  const below = placesOf(table, name)
  if (below.length > 0) return `${start}: it belongs in ${below.join(' or ')}`
  const above = levels.findLastIndex((level) => Object.hasOwn(level, name))
  if (above !== -1) return `${start}: it belongs beside ${path[above]}`
  const near = nearest(name, Object.keys(table))
  if (near !== undefined) return `${start}; did you mean ${[...path, near].join('.')}?`
  return `${start}; it has ${Object.keys(table).join(', ')}`
}

/** Where nested objects have an option of that name, written as it would be given: `engine: { urlPolicy }`. */
function placesOf(table: OptionTable, name: string): string[] {
  return Object.entries(table).flatMap(([outer, nested]) => {
    if (typeof nested === 'string') return []
    const inner = Object.hasOwn(nested, name) ? [name] : placesOf(nested, name)
    return inner.map((place) => `${outer}: { ${place} }`)
  })
}

/** The known name that is close enough to be the intended one, if there is one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
  return best && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined
}

/** Characters to insert, remove or replace (Levenshtein distance). */
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
