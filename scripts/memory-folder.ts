import { existsSync, statfsSync } from 'node:fs'

const FOLDER = '/dev/shm'

/** A file system in memory, for files that need not outlive the power; undefined where there is none with that much room. */
export function memoryFolder(leastBytes: number): string | undefined {
  if (!existsSync(FOLDER)) return undefined
  const { bavail, bsize } = statfsSync(FOLDER)
  return bavail * bsize > leastBytes ? FOLDER : undefined
}
