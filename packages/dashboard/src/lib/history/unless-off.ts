import { EngineError } from '@keepsend/engine'

/** Reads a part of the history; undefined where the engine has none, or no longer has it: it says both by `not_retained`. */
export async function unlessOff<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof EngineError && error.code === 'not_retained') return undefined
    throw error
  }
}
