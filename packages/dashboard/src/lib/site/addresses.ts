/** @throws {TypeError} if it is no path */
export function checkPath(basePath: string | undefined): void {
  if (basePath !== undefined && !/^(\/[\w.~%-]+)*$/.test(basePath))
    throw new TypeError(
      `basePath must be a path such as /admin/webhooks, without a slash at its end; found ${basePath}`,
    )
}

/** Checks an address that becomes a link. @throws {TypeError} */
export function checkUrl(name: string, url: unknown): void {
  checkText(name, url)
  if (typeof url === 'string' && !/^(https?:\/\/|\/(?![/\\]))/.test(url))
    throw new TypeError(`${name} must be an http or https address, or a path; found ${url.slice(0, 100)}`)
}

/** @throws {TypeError} if it is no text */
export function checkText(name: string, text: unknown): void {
  if (text !== undefined && typeof text !== 'string')
    throw new TypeError(`${name} must be a text; found ${typeof text}`)
}

/** @throws {TypeError} if it is neither undefined nor an object with names */
export function checkObject(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value)))
    throw new TypeError(`${name} must be an object; found ${JSON.stringify(value)?.slice(0, 100) ?? typeof value}`)
}
