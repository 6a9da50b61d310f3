import { readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type SqliteDriver, locateDriver } from './sqlite-drivers.ts'

/**
 * Two copies of SQLite in one process do not know of each other's locks: each believes that it is alone, and they overwrite
 * each other's pages. What Linux says of this process tells; elsewhere nothing here finds any.
 */

/** Handles that this process has open on a file, whoever opened them. */
export function handlesOn({ dev, ino }: { dev: bigint; ino: bigint }): number {
  const handles = unlessMissing(() => readdirSync('/proc/self/fd')) ?? []
  return handles.filter((handle) => {
    // Closed since: the one that read this folder, for example.
    const found = unlessMissing(() => statSync(`/proc/self/fd/${handle}`, { bigint: true }))
    return found?.ino === ino && found.dev === dev
  }).length
}

/** The SQLite libraries in this process that are not the driver's, by name. */
export function otherLibraries(driver: SqliteDriver): string[] {
  const own = driver === 'node:sqlite' ? process.execPath : dirname(locateDriver().manifest)
  const found = loadedObjects().filter((path) => !path.startsWith(own) && holdsSqlite(path))
  const modules: unknown = Reflect.get(process, 'moduleLoadList')
  if (driver !== 'node:sqlite' && Array.isArray(modules) && modules.includes('NativeModule sqlite')) {
    found.push('node:sqlite')
  }
  return found
}

/**
 * By how many SQLite libraries this process uses the file: each maps the file's shared memory once, however many
 * connections it has. 0 where that cannot be told.
 */
export function librariesUsing(realPath: string): number {
  return mappings().filter((line) => line.endsWith(` ${realPath}-shm`) && FROM_THE_START.test(line)).length
}

// `7f2c… rw-s 00000000 08:01 1234   /data/app.db-shm`: the third is the place in the file.
const FROM_THE_START = /^\S+ \S+ 0+ /

function mappings(): string[] {
  return unlessMissing(() => readFileSync('/proc/self/maps', 'utf8').split('\n')) ?? []
}

function loadedObjects(): string[] {
  const paths = mappings().map((line) => line.slice(line.indexOf('/')))
  return [...new Set(paths)].filter((path) => /^\/.*(\.node|\.so(\.[\d.]+)?)$/.test(path))
}

// Each copy of SQLite has the first bytes of its files in it.
function holdsSqlite(path: string): boolean {
  // Node itself, or the system's library that this Node was built on: node:sqlite's, shared by whatever links it.
  const isShared: unknown = Reflect.get(process.config.variables, 'node_shared_sqlite')
  if (/\/libnode\.so[^/]*$/.test(path) || (isShared === true && /\/libsqlite3\.so[^/]*$/.test(path))) return false
  return unlessMissing(() => readFileSync(path).includes('SQLite format 3\0')) ?? false
}

/** Undefined for a file that is not there, or no more, or not ours to read. */
function unlessMissing<Result>(read: () => Result): Result | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM', 'EBADF'].includes(String((error as { code?: unknown }).code))) return undefined
    throw error
  }
}
