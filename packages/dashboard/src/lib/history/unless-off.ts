import { EngineError } from '@keepsend/engine'

/** Reads a part of the history; undefined where the engine records none, which it says by `not_retained`. */
export async function unlessOff<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof EngineError && error.code === 'not_retained') return undefined
    throw error
  }
}
