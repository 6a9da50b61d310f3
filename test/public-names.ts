import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from './consumer.ts'

export interface Entry {
  /** What a user writes: `@keepsend/outbox/sqlite`. */
  specifier: string
  /** From the package's folder: `./dist/sqlite.d.ts`. */
  types: string
}

export interface PublicNames {
  values: string[]
  types: string[]
}

/** The modules that a package offers; its files of data (`./package.json`, `./migrations/*`) are none. */
export function entries({ name, exports }: Manifest): Entry[] {
  return Object.entries(exports).flatMap(([path, target]) => {
    const types = typeof target === 'string' ? undefined : target['types']
    return types === undefined ? [] : [{ specifier: name + path.slice(1), types }]
  })
}

/**
 * What an entry's declarations export. An entry is a list of named re-exports (or `export {}`), so that the list can be
 * read; anything else in it is refused.
 */
export function publicNames(folder: string, { types }: Entry): PublicNames {
  const text = readFileSync(join(folder, types), 'utf8')
  const lists = /^export (type )?\{([^}]*)\}(?: from '[^']+')?;$/gm
  const rest = text
    .replace(lists, '')
    .replace(/^\/\/# .*$/gm, '')
    .trim()
  if (rest !== '') throw new Error(`${types} has more in it than named re-exports:\n${rest}`)
  const names: PublicNames = { values: [], types: [] }
  for (const [, onlyTypes, list = ''] of text.matchAll(lists)) {
    for (const item of list
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')) {
      const isType = onlyTypes !== undefined || item.startsWith('type ')
      const name = item.replace(/^type /, '').replace(/^.* as /, '')
      ;(isType ? names.types : names.values).push(name)
    }
  }
  return { values: names.values.sort(), types: names.types.sort() }
}
