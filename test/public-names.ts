import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from './consumer.ts'

export interface Entry {
  /** What a user writes: `@keepsend/outbox/sqlite`. */
  specifier: string
  /** From the package's folder: `./dist/sqlite.d.ts`. */
  types: string
}

interface PublicNames {
  values: string[]
  types: string[]
}

const LIST = /^export (type )?\{([^}]*)\}(?: from '[^']+')?;$/gm
const TYPE = /^export (?:declare )?(?:interface|type) (\w+)/gm
const VALUE = /^export (?:declare )?(?:function|const|class) (\w+)/gm

/** The modules that a package offers; its files of data (`./package.json`, `./migrations/*`) are none. */
export function entries({ name, exports }: Manifest): Entry[] {
  return Object.entries(exports).flatMap(([path, target]) => {
    const types = typeof target === 'string' ? undefined : target['types']
    return types === undefined ? [] : [{ specifier: name + path.slice(1), types }]
  })
}

/** What an entry's declarations export, by name. An `export *` or a default export has no name to agree on. */
export function publicNames(folder: string, { types }: Entry): PublicNames {
  const text = readFileSync(join(folder, types), 'utf8').replace(/\/\*[^]*?\*\//g, '')
  const names: PublicNames = { values: matches(text, VALUE), types: matches(text, TYPE) }
  for (const [, onlyTypes, list = ''] of text.matchAll(LIST)) {
    for (const item of list.split(',').filter((part) => part.trim() !== '')) {
      const kind = onlyTypes !== undefined || /^\s*type /.test(item) ? names.types : names.values
      kind.push(item.trim().split(' ').at(-1)!)
    }
  }
  const rest = text.replace(LIST, '').replace(TYPE, '').replace(VALUE, '')
  const nameless = rest.match(/^export .*$/m)
  if (nameless) throw new Error(`${types} exports something without a name of its own: ${nameless[0]}`)
  return { values: names.values.sort(), types: names.types.sort() }
}

function matches(text: string, declaration: RegExp): string[] {
  return [...text.matchAll(declaration)].map(([, name]) => name!)
}
