/** As `OptionTable` of the outbox, which nothing here can import. */
interface OptionTable {
  readonly [name: string]: true | OptionTable
}

/** Every option of a table, those in nested objects too: `{ circuit: { openMs: true } }` gives `circuit` and `circuit.openMs`. */
function optionPaths(table: OptionTable, prefix: readonly string[] = []): string[] {
  return Object.entries(table).flatMap(([name, nested]) => {
    const path = [...prefix, name]
    return [path.join('.'), ...(nested === true ? [] : optionPaths(nested, path))]
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
