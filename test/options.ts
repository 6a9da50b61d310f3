/** As `OptionTable` of the outbox, which nothing here can import. */
interface OptionTable {
  readonly [name: string]: string | OptionTable
}

/** Every option of a table, those in nested objects too: `{ circuit: { openMs: true } }` gives `circuit` and `circuit.openMs`. */
function optionPaths(table: OptionTable, prefix: readonly string[] = []): string[] {
  return Object.entries(table).flatMap(([name, nested]) => {
    const path = [...prefix, name]
    return [path.join('.'), ...(typeof nested === 'string' ? [] : optionPaths(nested, path))]
  })
}

/** Options that hold nothing but this value: `circuit.openMs` gives `{ circuit: { openMs: value } }`. */
export function optionsWith(path: string, value: unknown): object {
  return path.split('.').reduceRight((inner: unknown, name) => ({ [name]: inner }), value) as object
}

/** The same options without it: of `circuit.openMs` there is left `{ circuit: {} }`. */
export function optionsWithout(path: string): object {
  const outer = path.split('.').slice(0, -1)
  return outer.length === 0 ? {} : optionsWith(outer.join('.'), {})
}

/** Each option of each function, for `it.each`, without those that must be given. */
export function everyOption<Owner extends string>(
  names: Readonly<Record<Owner, OptionTable>>,
  required: Partial<Record<Owner, object>>,
): { owner: Owner; path: string }[] {
  return (Object.keys(names) as Owner[]).flatMap((owner) =>
    optionPaths(names[owner])
      .filter((path) => !Object.hasOwn(required[owner] ?? {}, path))
      .map((path) => ({ owner, path })),
  )
}

/** Values of each kind, in the words of a table. */
const VALUES: Record<string, readonly unknown[]> = {
  text: ['a'],
  texts: [['a']],
  number: [5],
  numbers: [[5]],
  boolean: [true],
  list: [[{}]],
  function: [() => {}],
  object: [{}],
}

/** What each kind takes besides its own values. */
const TAKES: Record<string, readonly string[]> = {
  list: ['texts', 'numbers'],
  table: ['object'],
}

/** The value of the table's only symbol. */
function orOf(table: object): unknown {
  return Object.getOwnPropertySymbols(table).map((symbol): unknown => Reflect.get(table, symbol))[0]
}

/** Each option of each function with each value of another kind than its table says. */
export function everyWrongValue<Owner extends string>(
  names: Readonly<Record<Owner, OptionTable>>,
): { owner: Owner; path: string; value: unknown }[] {
  return (Object.keys(names) as Owner[]).flatMap((owner) =>
    optionPaths(names[owner]).flatMap((path) => {
      const entry = path
        .split('.')
        .reduce<string | OptionTable>((table, name) => (table as OptionTable)[name] ?? '', names[owner])
      const kind = typeof entry === 'string' ? entry.replace(' or null', '') : 'table'
      if (kind === 'any') return []
      const or = typeof entry === 'string' ? undefined : orOf(entry)
      const taken = [
        kind,
        ...(TAKES[kind] ?? []),
        ...(or === 'a text' ? ['text'] : []),
        ...(or === 'a function' ? ['function'] : []),
        ...(or === 'true or false' ? ['boolean'] : []),
      ]
      const isNullTaken = typeof entry === 'string' ? entry !== kind : or === 'null'
      const values = Object.entries(VALUES).flatMap(([name, of]) => (taken.includes(name) ? [] : of))
      return [...values, ...(isNullTaken ? [] : [null])].map((value) => ({ owner, path, value }))
    }),
  )
}
