import { EngineError } from '@keepsend/engine'

/** What the engine has of its history; undefined where it records none: it says `not_retained`. */
export async function unlessOff<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof EngineError && error.code === 'not_retained') return undefined
    throw error
  }
}
