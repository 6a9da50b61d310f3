import type { InferSelectModel, Table } from 'drizzle-orm/table'
import { type Row, type SqlText, raw } from './statement.ts'

/**
 * Reads the rows of one table. Its columns are listed once, under the property names of the drizzle table. The compiler
 * compares names and types with that table, which is a type-only import and costs nothing at run time.
 */
export interface Codec<T extends object> {
  /** The names of its properties. */
  readonly names: readonly (keyof T & string)[]
  /** Every column under its property's name, for a `select` or a `returning`. */
  readonly all: SqlText
  /** Some of the columns, of the table under an alias, for a join. */
  some(alias: string, names: readonly (keyof T & string)[]): SqlText
  /** All columns except some; with `alias`, of the table under that alias, for a join. */
  except(names: readonly (keyof T & string)[], alias?: string): SqlText
  /**
   * Converts a row to its type: JSON columns are parsed, in place.
   *
   * @throws {SyntaxError} for a JSON column that holds no valid JSON
   */
  read<Name extends keyof T = keyof T>(row: Row): Pick<T, Name>
}

/** A column whose text is JSON. */
export interface JsonColumn<Name extends string> {
  readonly json: Name
}

/** A column that is read by an expression. */
export interface ReadColumn<Name extends string> {
  readonly column: Name
  /** @param row the prefix of the table's columns: an alias and a dot, or nothing */
  readonly readAs: (row: string) => string
}

/**
 * Maps properties to the columns of a drizzle table. {@link json} marks a JSON column; a {@link ReadColumn} has its
 * expression.
 */
export type ColumnNames<T extends Table, Property extends keyof InferSelectModel<T> = keyof InferSelectModel<T>> = {
  readonly [Name in Property]: ColumnName<T, Name> | JsonColumn<ColumnName<T, Name>> | ReadColumn<ColumnName<T, Name>>
}

type ColumnName<T extends Table, Name> = Name extends keyof T['_']['columns']
  ? T['_']['columns'][Name]['_']['name']
  : never

/** Marks a column whose text is JSON. */
export function json<const Name extends string>(name: Name): JsonColumn<Name> {
  return { json: name }
}

/**
 * @example
 * import type { endpoints } from '@keepsend/engine/sqlite/tables'
 * const endpointRows = createCodec<typeof endpoints>({ id: 'id', eventTypes: json('event_types') })
 */
export function createCodec<T extends Table, R extends object = InferSelectModel<T>>(
  columns: ColumnNames<T, keyof R & keyof InferSelectModel<T>>,
): Codec<R> {
  const reads = new Map<string, (row: string) => string>()
  const jsonNames: string[] = []
  for (const [property, column] of Object.entries<string | JsonColumn<string> | ReadColumn<string>>(columns)) {
    if (typeof column === 'string') reads.set(property, (row) => row + column)
    else if ('readAs' in column) reads.set(property, column.readAs)
    else {
      reads.set(property, (row) => row + column.json)
      jsonNames.push(property)
    }
  }
  const list = (properties: Iterable<string>, row: string): SqlText =>
    raw([...properties].map((property) => `${reads.get(property)?.(row)} as "${property}"`).join(', '))

  return {
    names: [...reads.keys()] as (keyof R & string)[],
    all: list(reads.keys(), ''),
    some: (alias, properties) => list(properties, `${alias}.`),
    except(properties, alias) {
      const left = [...reads.keys()].filter((name) => !properties.some((property) => property === name))
      return list(left, alias === undefined ? '' : `${alias}.`)
    },
    read<Name extends keyof R>(row: Row) {
      for (const name of jsonNames) {
        const text = row[name]
        if (typeof text === 'string') row[name] = JSON.parse(text)
      }
      // The statement named these columns, and the compiler has compared them with the table.
      return row as Pick<R, Name>
    },
  }
}
