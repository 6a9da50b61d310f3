import { EngineError } from '../errors.ts'

// RFC 9110, 8.3.1: a type, then parameters after semicolons, some of them empty. A value may be quoted.
const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json$/
const PARTS = /(?:[^;"]|"(?:[^"\\]|\\.)*")+/g
const HEADERS = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g

/**
 * Checks by its `content-type` that a body is JSON in UTF-8: `application/json` or a type that ends in `+json`, with any
 * parameters except another `charset`. If the header is given twice, both must fit.
 *
 * @throws {EngineError} `unsupported_media_type`, naming what was found
 */
export function checkMediaType(contentType: string): void {
  for (const one of contentType.match(HEADERS) ?? ['']) checkOne(one.trim())
}

function checkOne(contentType: string): void {
  const [type = '', ...parameters] = contentType.match(PARTS) ?? []
  if (!JSON_TYPE.test(type.trim().toLowerCase())) {
    const found = contentType === '' ? 'no content-type' : shown(contentType)
    throw refused(`expected a JSON body with content-type: application/json; found ${found}`)
  }
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=', 2).map((part) => part.trim().toLowerCase())
    if (name !== 'charset' || /^("?)utf-?8\1$/.test(value)) continue
    throw refused(`a JSON body must be UTF-8: send charset=utf-8 or no charset; found ${shown(value)}`)
  }
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}

function refused(message: string): EngineError {
  return new EngineError('unsupported_media_type', message)
}
