import { readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type SqliteDriver, locateDriver } from './sqlite-drivers.ts'

// Two copies of SQLite in one process do not see each other's locks and overwrite each other's pages. This module detects
// them through /proc, on Linux only; elsewhere it finds none.

/** Number of handles that this process has open on a file. */
export function handlesOn({ dev, ino }: { dev: bigint; ino: bigint }): number {
  const handles = unlessMissing(() => readdirSync('/proc/self/fd')) ?? []
  return handles.filter((handle) => {
    // A handle may be closed by now: the one that read this folder, for example.
    const found = unlessMissing(() => statSync(`/proc/self/fd/${handle}`, { bigint: true }))
    return found?.ino === ino && found.dev === dev
  }).length
}

/** Names of the SQLite libraries in this process other than the driver's. */
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
 * How many SQLite libraries of this process use the file: each maps the file's shared memory once, however many connections
 * it has. 0 where that cannot be detected.
 */
export function librariesUsing(realPath: string): number {
  return mappings().filter((line) => line.endsWith(` ${realPath}-shm`) && FROM_THE_START.test(line)).length
}

// `7f2c… rw-s 00000000 08:01 1234   /data/app.db-shm`: the third field is the offset in the file.
const FROM_THE_START = /^\S+ \S+ 0+ /

function mappings(): string[] {
  return unlessMissing(() => readFileSync('/proc/self/maps', 'utf8').split('\n')) ?? []
}

function loadedObjects(): string[] {
  const paths = mappings().map((line) => line.slice(line.indexOf('/')))
  return [...new Set(paths)].filter((path) => /^\/.*(\.node|\.so(\.[\d.]+)?)$/.test(path))
}

// Each copy of SQLite contains the magic bytes of its file format.
function holdsSqlite(path: string): boolean {
  // Node itself, or the system's SQLite library that this Node was built with: one copy, shared by all that link it.
  const isShared: unknown = Reflect.get(process.config.variables, 'node_shared_sqlite')
  if (/\/libnode\.so[^/]*$/.test(path) || (isShared === true && /\/libsqlite3\.so[^/]*$/.test(path))) return false
  return unlessMissing(() => readFileSync(path).includes('SQLite format 3\0')) ?? false
}

/** Undefined for a file that does not exist or may not be read. */
function unlessMissing<Result>(read: () => Result): Result | undefined {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM', 'EBADF'].includes(String((error as { code?: unknown }).code))) return undefined
    throw error
  }
}
