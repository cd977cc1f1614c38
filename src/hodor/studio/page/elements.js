// The page's elements, which index.html states: types say no more of them than that they are there.

/** An element by its id.
 * @param {string} id
 * @returns {any} */
export const byId = (id) => document.getElementById(id);

/** All elements of a selector.
 * @param {string} selector
 * @returns {any[]} */
export const all = (selector) => [...document.querySelectorAll(selector)];
