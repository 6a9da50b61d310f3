import { EngineError } from '@keepsend/engine'

/** Whether an error is about the request, so that its reader gets the reason. */
export function isRefusal(error: unknown): error is EngineError {
  return error instanceof EngineError && (error.status < 500 || error.code === 'invalid_option')
}

/**
 * Whether the engine refused an option of a call. Actions pass on the numbers and texts of a form, whose bounds the engine knows. An
 * engine that was set up wrongly has the same code, so this is logged as well.
 */
export function isOptionRefused(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'invalid_option'
}
