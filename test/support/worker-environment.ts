// What a process needs to run at all, and what steers a test run. Everything else is a variable of the product or
// may become one, so it is not listed what to remove but what to keep.
const KEPT = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.+|TZ|TMPDIR|TMP|TEMP|TERM|COLORTERM|CI)$/,
  /^(NO_COLOR|FORCE_COLOR|INIT_CWD|NODE|NODE_.+|NPM_.+)$/,
  /^(SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE)$/,
  /^(TEST|TEST_.+|SOAK|VITEST|VITEST_.+|MODE|DEV|PROD|SSR|BASE_URL)$/,
]

/** Removes what a developer's shell says about the product: a test gets only what it sets. */
export function cleanEnvironment(variables: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(variables)) {
    if (!KEPT.some(pattern => pattern.test(name.toUpperCase()))) delete variables[name]
  }
}
