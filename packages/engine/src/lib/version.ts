/** The version of the package, as in its package.json: `pnpm version-packages` writes both. */
export const VERSION = '0.0.0'
