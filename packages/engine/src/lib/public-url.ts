import { EngineError } from './errors.ts'

/** @throws {EngineError} `invalid_option` */
export function checkPublicUrl(publicUrl: string | undefined): void {
  if (publicUrl === undefined || /^https?:\/\/[^\s{}?#]+[^\s{}?#/]$/.test(publicUrl)) return
  const found = JSON.stringify(publicUrl)
  throw new EngineError(
    'invalid_option',
    `publicUrl must be an http or https URL without a query and without a trailing slash; found ${found}`,
  )
}
